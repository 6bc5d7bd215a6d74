// Package plain is the same shop in the way that one writes it first, and not badly:
// database/sql with prepared statements over pgx, go-redis with its own pool,
// sync.Pool, sync.RWMutex, sync.Mutex per product, a goroutine per job, a timeout and
// retries for payments. Routes, statements, compression, promises and limits are those
// of package service. What it does not do is to batch what goes to Redis and the
// database, and to keep products in memory; with Config.Memory it does the latter, so
// that a comparison can tell what that alone is worth.
package plain
