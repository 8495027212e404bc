"""How provrunner bears sweeps of ten thousand runs."""
