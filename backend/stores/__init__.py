"""The only code that speaks to MongoDB, Redis and object storage."""
