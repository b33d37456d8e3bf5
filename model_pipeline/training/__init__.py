"""What the training stages share: loading models, the mask, callbacks; knows no stage."""
