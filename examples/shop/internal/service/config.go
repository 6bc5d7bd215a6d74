package service

import (
	"cmp"
	"io"
	"log/slog"
	"time"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// Config says what a Shop works with. Payment and Redis are required.
type Config struct {
	Postgres string       // URL; "": the store below
	Store    goods.Store  // in place of PostgreSQL
	Redis    []string     // addresses, over which products are spread
	Payment  string       // URL of the payment service, without a path
	Queue    string       // URL of NATS, which keeps the jobs; "": they end with the process
	Write    Policy       // how changes of products go through the cache
	Mails    io.Writer    // gets the mails that confirm orders, each in one call. Nil: nobody
	Trips    *goods.Trips // counts statements and commands; nil: nobody asks

	MemorySize int           // products kept in memory. 0: 10 000
	MemoryTTL  time.Duration // for how long. 0: 5 s
	RedisTTL   time.Duration // how long Redis keeps a product. 0: 1 min
	Hold       time.Duration // how long goods stay reserved for an order that does not come. 0: 30 s
	JobWait    time.Duration // a process that is silent for so long loses its jobs at Queue to others. 0: 30 s

	Audit    io.Writer // gets the audit log, a line each. Nil: nobody
	Captures string    // directory for profiles. "": none are taken
	Log      *slog.Logger
}

func (cfg *Config) setDefaults() {
	cfg.Trips = cmp.Or(cfg.Trips, new(goods.Trips))
	cfg.MemorySize = cmp.Or(cfg.MemorySize, 10_000)
	cfg.MemoryTTL = cmp.Or(cfg.MemoryTTL, 5*time.Second)
	cfg.RedisTTL = cmp.Or(cfg.RedisTTL, time.Minute)
	cfg.Hold = cmp.Or(cfg.Hold, 30*time.Second)
	cfg.JobWait = cmp.Or(cfg.JobWait, 30*time.Second)
	cfg.Audit = cmp.Or(cfg.Audit, io.Discard)
	cfg.Mails = cmp.Or(cfg.Mails, io.Discard)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
}
