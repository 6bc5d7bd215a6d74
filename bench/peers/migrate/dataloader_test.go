package migrate

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/graph-gophers/dataloader/v7"
	"github.com/poundlock/poundlock/batchchan"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type user struct{ name string }

func dataloaderBefore(selectUsers func(ctx context.Context, ids []int) ([]user, error)) *dataloader.Loader[int, user] {
	loader := dataloader.NewBatchedLoader(
		func(ctx context.Context, ids []int) []*dataloader.Result[user] {
			results := make([]*dataloader.Result[user], len(ids))
			users, err := selectUsers(ctx, ids)
			for i := range ids {
				results[i] = &dataloader.Result[user]{Error: err}
				if err == nil {
					results[i].Data = users[i]
				}
			}
			return results
		},
		dataloader.WithBatchCapacity[int, user](100),
		dataloader.WithWait[int, user](time.Millisecond))
	return loader
}

func dataloaderAskBefore(ctx context.Context, loader *dataloader.Loader[int, user], id int) (user, error) {
	return loader.Load(ctx, id)()
}

func dataloaderAfter(selectUsers func(ctx context.Context, ids []int) ([]user, error)) (*batchchan.Caller[int, user], error) {
	caller, err := batchchan.NewMergingCaller(
		batchchan.CallerConfig[int]{
			Config:   batchchan.Config[int]{MaxBatch: 100, Linger: time.Millisecond},
			CacheFor: time.Minute,
		},
		func(id int) int { return id }, // requests with the same key are one
		func(ctx context.Context, ids []int, results []batchchan.Result[user]) error {
			users, err := selectUsers(ctx, ids)
			for i := range users {
				results[i].Value = users[i]
			}
			return err // for every request of the batch
		})
	return caller, err
}

func dataloaderAskAfter(ctx context.Context, caller *batchchan.Caller[int, user], id int) (user, error) {
	return caller.Do(ctx, id)
}

// Six callers want three users, and a seventh one of them again: whoever comes while a
// user is asked for, or later, causes no query. (The loader's thunks wait under a
// sync.RWMutex, so this is no test for a bubble.)
func TestDataloader(t *testing.T) {
	names := map[int]user{1: {"ann"}, 2: {"bob"}, 3: {"cem"}}
	for _, name := range []string{"before", "after"} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []int
			selectUsers := func(_ context.Context, ids []int) (users []user, err error) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, ids...)
				for _, id := range ids {
					users = append(users, names[id])
				}
				return users, nil
			}
			var ask func(id int) (user, error)
			if name == "before" {
				loader := dataloaderBefore(selectUsers)
				ask = func(id int) (user, error) { return dataloaderAskBefore(t.Context(), loader, id) }
			} else {
				caller, err := dataloaderAfter(selectUsers)
				require.NoError(t, err)
				defer caller.Close()
				ask = func(id int) (user, error) { return dataloaderAskAfter(t.Context(), caller, id) }
			}
			var wg sync.WaitGroup
			for _, id := range []int{1, 2, 3, 1, 2, 3} {
				wg.Go(func() {
					u, err := ask(id)
					assert.NoError(t, err)
					assert.Equal(t, names[id], u)
				})
			}
			wg.Wait()
			u, err := ask(2)
			require.NoError(t, err)
			require.Equal(t, names[2], u)
			mu.Lock()
			defer mu.Unlock()
			require.ElementsMatch(t, []int{1, 2, 3}, asked)
		})
	}
}
