package main

import (
	"context"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const asynqType = "bench"

var asynqSystem = system{
	name: "asynq", against: []string{"jetstream"}, share: 4,
	available: func(at *addresses) bool { return at.Redis != "" },
	store: func(ctx context.Context, at *addresses, n int) error {
		rdb := redis.NewClient(&redis.Options{Addr: at.Redis})
		defer rdb.Close()
		if err := rdb.FlushDB(ctx).Err(); err != nil {
			return err
		}
		client := asynq.NewClient(asynq.RedisClientOpt{Addr: at.Redis})
		defer client.Close()
		return inParallel(n, func(i int) error {
			_, err := client.EnqueueContext(ctx, asynq.NewTask(asynqType, []byte(payload(i))))
			return err
		})
	},
	connect: func(_ context.Context, j *job) (func(func(int)) (func() error, error), error) {
		srv := asynq.NewServer(asynq.RedisClientOpt{Addr: j.At.Redis}, asynq.Config{Concurrency: held, LogLevel: asynq.FatalLevel})
		return func(handle func(int)) (func() error, error) {
			return func() error {
					srv.Shutdown()
					return nil
				}, srv.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
					handle(number(t.Payload()))
					return nil
				}))
		}, nil
	},
}
