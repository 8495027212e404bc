"""Logs under force: killed, cut and flipped at random, and read afterwards."""
