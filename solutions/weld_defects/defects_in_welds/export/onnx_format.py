"""What the ONNX file of this solution promises: who writes it and who opens it agree here. Imports nothing heavy."""

NAMES = ("boxes", "labels", "scores")
METADATA_KEY = "weld_defects"
