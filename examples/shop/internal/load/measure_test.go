package load

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/poundlock/poundlock/examples/shop/internal/goods"
)

// diary is set in the environment of the twins that the tests start: they are this
// test's own program, and note there what they are asked.
const diary = "POUNDLOCK_SHOP_DIARY"

func TestMain(m *testing.M) {
	if path := os.Getenv(diary); path != "" {
		if err := keepDiary(path); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// keepDiary serves like a twin until SIGTERM, and then writes each request's method and
// path to the file, and "figures" each time that it was asked for them. Its statements
// are as many as its requests.
func keepDiary(path string) error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var asked []string
	requests := uint64(0)
	s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/figures" {
			asked = append(asked, "figures")
			_ = json.NewEncoder(w).Encode(goods.Figures{Queries: requests})
			return
		}
		requests++
		asked = append(asked, r.Method+" "+r.URL.Path)
	})}
	go func() { _ = s.Serve(l) }()
	fmt.Printf("listening http://%s debug http://%s\n", l.Addr(), l.Addr())
	<-end
	_ = s.Close()
	return os.WriteFile(path, []byte(strings.Join(asked, "\n")), 0o600)
}

// A warm-up fills the caches with what others ask for: had it the requests that are
// measured, each product of these would be in memory before, and a cache would look
// better than it is. Nor do its requests count.
func TestTheWarmUpAsksForOtherProducts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "diary")
	t.Setenv(diary, path)
	exe, err := os.Executable()
	require.NoError(t, err)
	const rate, products = 500, 10_000
	defer http.DefaultClient.CloseIdleConnections()
	r, err := measure(t.Context(), Config{Exe: exe, Products: products, Duration: time.Second}, twins[0], mixes["cold"], rate)
	require.NoError(t, err)
	require.InDelta(t, 1, r.Queries, 0, "only what was asked between the two readings counts")

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	asked := strings.Split(string(text), "\n")
	first := slices.Index(asked, "figures")
	require.Greater(t, first, 0)
	require.Equal(t, "figures", asked[len(asked)-1])
	warm, cold := map[string]bool{}, map[string]bool{}
	for _, a := range asked[:first] {
		warm[a] = true
	}
	for _, a := range asked[first+1 : len(asked)-1] {
		if strings.HasPrefix(a, "GET /products/") {
			cold[a] = true
		}
	}
	require.Greater(t, len(cold), rate/2)
	found := 0
	for a := range cold {
		if warm[a] {
			found++
		}
	}
	require.InDelta(t, float64(len(warm))/products, float64(found)/float64(len(cold)), 0.05, "as many as chance finds")
}
