package pipeline

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsTriedAgain(t *testing.T) {
	for code, want := range map[codes.Code]bool{
		codes.Unavailable: true, codes.DeadlineExceeded: true, codes.Canceled: true, codes.Aborted: true, codes.OutOfRange: true, codes.DataLoss: true,
		codes.ResourceExhausted: false, codes.InvalidArgument: false, codes.Unauthenticated: false, codes.Unimplemented: false, codes.Internal: false,
	} {
		require.Equal(t, want, retryable(status.Error(code, "")), code)
	}
	later, err := status.New(codes.ResourceExhausted, "").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	require.NoError(t, err)
	require.True(t, retryable(later.Err()))
	require.False(t, retryable(errors.New("not of gRPC")))
}
