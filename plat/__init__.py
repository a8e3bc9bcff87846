"""PlatLib, the PyTorch-compatible facade. It arrives with its own issue; nothing is here yet."""
