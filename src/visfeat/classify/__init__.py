"""Classes from vectors: fitted on labels of a store, predicted for its items, judged on labels kept apart.

``fitting.fit`` learns a ``Classifier`` (``classifier``), ``predicting.predict`` applies it to a store, ``report`` says
how well it does. ``naming`` names classes without labels: by a network's own classes, or by texts.
"""
