"""Faster R-CNN for defects of welds: data, model, training, evaluation."""
