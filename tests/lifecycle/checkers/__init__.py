"""What must hold for every pod, whatever happens to it: one file per law. Each takes the finished `World`."""
