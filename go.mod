module github.com/poundlock/poundlock

go 1.26.0

require (
	github.com/anishathalye/porcupine v0.1.0
	github.com/panjf2000/ants/v2 v2.11.0
	github.com/stretchr/testify v1.8.2
	go.uber.org/goleak v1.2.0
	golang.org/x/sync v0.3.0
	pgregory.net/rapid v1.0.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/kr/text v0.2.0 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
