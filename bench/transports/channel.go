// SPDX-License-Identifier: Apache-2.0

// A Go channel of 1,024 messages between two goroutines of one process: no process border is crossed, and nothing is copied over one.
// 64-byte messages travel by value; larger ones in pooled slices, filled by copy from a private buffer as the other transports do.
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

const (
	capacity   = 1024
	line       = 64
	warmUpPart = 10
)

func fill(message []byte) {
	for i := range message {
		message[i] = byte(i/line*7 + 1)
	}
}

func check(message []byte, expected, want uint64) {
	var sum uint64
	for at := line; at < len(message); at += line {
		sum += uint64(message[at])
	}
	if binary.LittleEndian.Uint64(message) != expected || sum != want {
		fmt.Fprintf(os.Stderr, "bench go: message %d is missing or has changed\n", expected)
		os.Exit(1)
	}
}

func smallOnes(count uint64) time.Duration {
	messages := make(chan [line]byte, capacity)
	go func() {
		var message [line]byte
		fill(message[:])
		for i := uint64(0); i < count; i++ {
			binary.LittleEndian.PutUint64(message[:], i)
			messages <- message
		}
		close(messages)
	}()
	var begun time.Time
	next := uint64(0)
	for message := range messages {
		check(message[:], next, 0)
		next++
		if next == count/warmUpPart {
			begun = time.Now()
		}
	}
	return finish(next, count, begun)
}

func largeOnes(count uint64, size, depth int) time.Duration {
	messages, pool := make(chan []byte, depth), make(chan []byte, depth+2)
	for i := 0; i < cap(pool); i++ {
		pool <- make([]byte, size)
	}
	private := make([]byte, size)
	fill(private)
	var want uint64
	for at := line; at < size; at += line {
		want += uint64(private[at])
	}
	go func() {
		for i := uint64(0); i < count; i++ {
			message := <-pool
			binary.LittleEndian.PutUint64(private, i)
			copy(message, private)
			messages <- message
		}
		close(messages)
	}()
	var begun time.Time
	next := uint64(0)
	for message := range messages {
		check(message, next, want)
		pool <- message
		next++
		if next == count/warmUpPart {
			begun = time.Now()
		}
	}
	return finish(next, count, begun)
}

func finish(taken, count uint64, begun time.Time) time.Duration {
	elapsed := time.Since(begun)
	if taken != count {
		fmt.Fprintf(os.Stderr, "bench go: %d messages of %d came\n", taken, count)
		os.Exit(1)
	}
	return elapsed
}

func report(rate float64, size int) {
	fmt.Printf("{\"rate\": %.0f, \"bytes_per_s\": %.0f}\n", rate, rate*float64(size))
}

func main() {
	shape := flag.String("shape", "one-way", "one-way, round-trip, fan, many or receive")
	size := flag.Int("size", line, "bytes of a message")
	count := flag.Uint64("count", 1000000, "messages")
	room := flag.Int("capacity", 4<<20, "bytes that large messages in flight may take")
	watching := flag.Bool("watching", false, "receive: in a select with a context's end")
	flag.Parse()
	runtime.GOMAXPROCS(2)
	measured := float64(*count - *count/warmUpPart)
	switch {
	case *shape == "round-trip":
		roundTrips(*count)
	case *shape == "fan":
		report(measured/fan(*count).Seconds(), line)
	case *shape == "many":
		report(measured/many(*count).Seconds(), line)
	case *shape == "receive":
		fmt.Printf("{\"value\": %.2f}\n", receive(*count, *watching))
	case *size == line:
		report(measured/smallOnes(*count).Seconds(), line)
	default:
		depth := *room / *size
		if depth > capacity {
			depth = capacity
		}
		report(measured/largeOnes(*count, *size, depth).Seconds(), *size)
	}
}
