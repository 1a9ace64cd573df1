"""The feature store: items, recipes, outcomes and features in one folder, and its exports.

``feature_store`` holds the store itself, ``writer`` what an extraction writes with, ``records`` the types of
both. Only ``tables`` imports Lance; only ``schemas`` knows the columns.
"""
