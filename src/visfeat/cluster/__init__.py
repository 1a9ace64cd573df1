"""Clusters of what a store holds: k-means and HDBSCAN, each cluster with its exemplars. Needs the extra ``use``."""

from __future__ import annotations

from visfeat.cluster.run import Cluster, Clustering, Member, cluster

__all__ = ["Cluster", "Clustering", "Member", "cluster"]
