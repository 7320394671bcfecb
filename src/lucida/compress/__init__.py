"""Make a trained model smaller and faster, and say what that costs in accuracy: measured, and proven."""
