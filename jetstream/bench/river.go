package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

var riverSystem = system{
	name: "river", against: []string{"jetstream", "jetstream-kept", "jetstream-kept-double"}, share: 4,
	available: func(at *addresses) bool { return at.Postgres != "" },
	store: func(ctx context.Context, at *addresses, n int) error {
		pool, client, err := riverClient(ctx, at.Postgres, &river.Config{})
		if err != nil {
			return err
		}
		defer pool.Close()
		migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: quiet})
		if err != nil {
			return err
		}
		if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, "TRUNCATE river_job"); err != nil {
			return err
		}
		for i := 0; i < n; i += 1000 {
			var many []river.InsertManyParams
			for id := i; id < min(n, i+1000); id++ {
				many = append(many, river.InsertManyParams{Args: riverArgs{ID: id, Data: payload(id)}})
			}
			if _, err := client.InsertManyFast(ctx, many); err != nil {
				return err
			}
		}
		_, err = pool.Exec(ctx, "ANALYZE river_job")
		return err
	},
	connect: func(ctx context.Context, j *job) (func(func(int)) (func() error, error), error) {
		var work riverWorker
		workers := river.NewWorkers()
		river.AddWorker(workers, &work)
		// The intervals are those of river's own benchmark command.
		pool, client, err := riverClient(ctx, j.At.Postgres, &river.Config{
			FetchCooldown: 2 * time.Millisecond, FetchPollInterval: 20 * time.Millisecond, Workers: workers,
			Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: held}},
		})
		if err != nil {
			return nil, err
		}
		return func(handle func(int)) (func() error, error) {
			work.handle = handle
			return func() error {
				defer pool.Close()
				return client.Stop(ctx)
			}, client.Start(ctx)
		}, nil
	},
}

var quiet = slog.New(slog.DiscardHandler)

func riverClient(ctx context.Context, at string, cfg *river.Config) (*pgxpool.Pool, *river.Client[pgx.Tx], error) {
	pool, err := pgxpool.New(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	cfg.Logger = quiet
	client, err := river.NewClient(riverpgxv5.New(pool), cfg)
	return pool, client, err
}

type riverArgs struct {
	ID   int    `json:"id"`
	Data string `json:"data"`
}

func (riverArgs) Kind() string { return "bench" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	handle func(id int)
}

func (w *riverWorker) Work(_ context.Context, j *river.Job[riverArgs]) error {
	w.handle(j.Args.ID)
	return nil
}
