"""Encoders that learn from organic carbon: trained on windows inside the training part of each fold.

Put here what turns the raw windows of samples into summaries by a network that is fitted to the target: a pre-trained
encoder that is fine-tuned, or a convolutional one from scratch. Folds, targets, intervals and the served graph are as
for every other recipe.
"""
