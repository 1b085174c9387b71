"""What stands on disk: that tables agree with each other, and which of them can be made again."""
