"""What training is made of: augmentation and losses, shared by the recipes and by adaptation. Needs PyTorch."""
