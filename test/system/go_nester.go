// SPDX-License-Identifier: Apache-2.0

// Stacks of Go code whose nesting is known: outer calls a to h, these a leaf without a frame.
// Beside them what a real program has: the collector, channels, panics, signals to itself.
package main

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

var sum int
var kept [][]byte

//go:noinline
func leaf(x int) int { return x*3 + 1 }

//go:noinline
func h(n int) (s int) {
	for i := 0; i < n; i++ {
		s += leaf(i)
	}
	return s
}

//go:noinline
func g(n int) int { var room [8]int; room[n&7] = n; return h(n) + room[1] }

//go:noinline
func f(n int) int { var room [64]int; room[n&63] = n; return g(n) + g(n/2) + room[1] }

//go:noinline
func e(n int) int { return f(n) + f(n/2) }

//go:noinline
func d(n int) int { var room [512]int; room[n&511] = n; return e(n) + room[1] }

//go:noinline
func c(n int) int { return d(n) + 1 }

//go:noinline
func b(n int) (s int) {
	defer func() { s = sum; recover() }()
	sum += c(n)
	panic("as usual")
}

//go:noinline
func a(n int) int { return b(n) + 1 }

//go:noinline
func outer(n int) int { return a(n) + 1 }

//go:noinline
func allocate() {
	for i := 0; ; i++ {
		kept = append(kept, make([]byte, 64+i%512))
		if len(kept) > 100000 {
			kept = nil
		}
	}
}

func signal() {
	for {
		time.Sleep(time.Millisecond)
		_ = syscall.Kill(os.Getpid(), syscall.SIGURG)
	}
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[1], 64)
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	numbers := make(chan int)
	go func() {
		for n := range numbers {
			sum += c(n)
		}
	}()
	go allocate()
	go signal()
	for time.Now().Before(end) {
		numbers <- outer(1000) & 1023
	}
}
