"""The Kafka runtime: the same processors on Apache Kafka, exactly once, with Faust workers. All of Faust lives here."""
