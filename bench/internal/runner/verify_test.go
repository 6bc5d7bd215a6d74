package runner

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVerify(t *testing.T) {
	assert.NoError(t, Verify(nil, groupsOf(fakeCases())...))
	assert.NoError(t, Verify([]string{barFile(t, "pool/.* x2 ns/op 1\npool/wait-8 - B/op <=1")}, groupsOf(fakeCases())...))
	assert.ErrorContains(t, Verify([]string{barFile(t, "pool/.* x4 ns/op 1")}, groupsOf(fakeCases())...), "pool.txt:1: case pool/wait has no implementation x4")
	assert.ErrorContains(t, Verify([]string{barFile(t, "\npol/.* x4 ns/op 1")}, groupsOf(fakeCases())...), "pool.txt:2: no case has the name pol/.*")
	assert.ErrorContains(t, Verify([]string{"nosuch"}, groupsOf(fakeCases())...), "nosuch")
	assert.ErrorContains(t, Verify(nil, append(groupsOf(fakeCases()), groupsOf(fakeCases())...)...), "declared twice")
}
