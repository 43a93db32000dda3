"""The words of the product, and its rules. Standard library only; no input or output."""
