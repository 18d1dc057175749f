"""The orchestrator of Tidemark's benchmarks: starts everything on one machine, loads it, writes the results."""
