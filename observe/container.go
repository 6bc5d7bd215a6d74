package observe

import (
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// ContainerMemory returns the memory limit in bytes of the control group that the
// program runs in: the lowest of that group and those around it. It is 0 without a limit,
// and on systems other than Linux.
func ContainerMemory() int64 { return containerMemory(os.DirFS("/")) }

func containerMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	for line := range strings.Lines(string(text)) {
		// hierarchy:controllers:path, with neither hierarchy nor controllers in version 2
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		dir, file := "", ""
		switch {
		case parts[0] == "0" && parts[1] == "":
			dir, file = "sys/fs/cgroup", "memory.max"
		case parts[1] == "memory":
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		// Inside a container the path may be the host's, which is not to be seen there:
		// what is found on the way up counts.
		for p := path.Clean("/" + parts[2]); ; p = path.Dir(p) {
			if n := limitIn(root, path.Join(dir, p, file)); n > 0 && (least == 0 || n < least) {
				least = n
			}
			if p == "/" {
				break
			}
		}
	}
	return least
}

// limitIn returns the limit in a file, 0 for none. Version 1 says "none" by a
// number near the largest.
func limitIn(root fs.FS, name string) int64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= 1<<60 {
		return 0
	}
	return n
}
