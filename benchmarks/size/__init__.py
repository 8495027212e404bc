"""How provrunner bears sweeps of ten thousand runs, kills and crowds."""
