// Package service is the shop, on poundlock's packages: each file is one concern.
//
//	config.go     what a shop works with
//	shop.go       what is made in which order, and how it ends
//	routes.go     the HTTP routes
//	respond.go    answers, built in pooled buffers
//	fail.go       which error gets which status, and what is logged of it
//	catalogue.go  products: memory, then Redis and the database for all who ask at once
//	writes.go     changes of products: through, back or around the cache
//	ring.go       Redis on several addresses, each with its pool
//	postgres.go   connections to PostgreSQL
//	store.go      what the shop asks PostgreSQL
//	prices.go     the price table, read by every request
//	orders.go     an order's way: reserve, charge, write
//	payment.go    the client of the payment service
//	queue.go      the interface of the job queue
//	jobs.go       mails, thumbnails and settlements, in the process
//	natsqueue.go  the same at NATS JetStream, where they outlive it
//	audit.go      the audit log
//	slow.go       slow queries, with advice
//	see.go        metrics, the page, profiles
package service
