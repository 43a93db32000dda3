"""What a user would pick instead, each as its own documentation teaches it, and no more."""
