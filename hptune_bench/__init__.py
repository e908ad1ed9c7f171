"""hptune_bench: is automatic hyperparameter tuning worth it, compared with the loop you would write by hand?

Importing the package imports neither TensorFlow nor KerasTuner.
"""

__version__ = "0.1.0"
