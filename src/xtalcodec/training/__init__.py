"""Training: recipes, augmentation, objective, checkpoints and the loop."""
