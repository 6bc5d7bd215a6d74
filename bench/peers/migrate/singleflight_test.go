package migrate

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/poundlock/poundlock/batchchan"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/singleflight"
)

func singleflightBefore(ctx context.Context, group *singleflight.Group, key string, load func(context.Context, string) (string, error)) (string, error) {
	page, err, _ := group.Do(key, func() (any, error) { return load(ctx, key) })
	if err != nil {
		return "", err
	}
	return page.(string), nil
}

func singleflightAfter(load func(context.Context, string) (string, error)) (*batchchan.Caller[string, string], error) {
	pages, err := batchchan.NewMergingCaller(
		batchchan.CallerConfig[string]{
			Config: batchchan.Config[string]{MaxBatch: 1, Workers: 16}, // 16 loads at once
		},
		func(key string) string { return key },
		func(ctx context.Context, keys []string, results []batchchan.Result[string]) error {
			results[0].Value, results[0].Err = load(ctx, keys[0])
			return nil
		})
	return pages, err
}

func singleflightAskAfter(ctx context.Context, pages *batchchan.Caller[string, string], key string) (string, error) {
	return pages.Do(ctx, key)
}

// Five callers want the same page while it is being loaded: it is loaded once.
func TestSingleflight(t *testing.T) {
	for _, name := range []string{"before", "after"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loads := 0
				load := func(_ context.Context, key string) (string, error) {
					loads++
					time.Sleep(time.Second)
					return key + "!", nil
				}
				var ask func(key string) (string, error)
				if name == "before" {
					var group singleflight.Group
					ask = func(key string) (string, error) { return singleflightBefore(t.Context(), &group, key, load) }
				} else {
					pages, err := singleflightAfter(load)
					require.NoError(t, err)
					defer pages.Close()
					ask = func(key string) (string, error) { return singleflightAskAfter(t.Context(), pages, key) }
				}
				var wg sync.WaitGroup
				for range 5 {
					wg.Go(func() {
						page, err := ask("home")
						assert.NoError(t, err)
						assert.Equal(t, "home!", page)
					})
				}
				wg.Wait()
				require.Equal(t, 1, loads)
			})
		})
	}
}

// Who has enough of waiting leaves; the others get their answer.
func TestSingleflightLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pages, err := singleflightAfter(func(_ context.Context, key string) (string, error) {
			time.Sleep(time.Second)
			return key + "!", nil
		})
		require.NoError(t, err)
		defer pages.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := pages.Do(ctx, "home")
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		page, err := pages.Do(t.Context(), "home")
		require.NoError(t, err)
		require.Equal(t, "home!", page)
		wg.Wait()
	})
}
