"""What a running pipeline uses: run information, checkpoints, epochs, distribution, the local platform."""
