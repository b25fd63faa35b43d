"""The campaign: live loads, reconcile and backfill at once, under every fault at hand, and a judge of what is left."""
