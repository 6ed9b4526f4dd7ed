"""What every room needs: files written whole, checksums, memory, signals."""
