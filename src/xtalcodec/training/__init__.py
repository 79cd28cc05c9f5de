"""Training: recipes, augmentation, the loss as a module, checkpoints and the loop."""
