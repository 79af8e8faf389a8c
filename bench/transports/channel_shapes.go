// SPDX-License-Identifier: Apache-2.0

// The other shapes over Go channels of 64-byte messages, as far as they make sense in one process: there and back, through two workers, from
// four producers, and what one receive costs while something is there, alone or in a select with a context's end.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sort"
	"time"
)

const (
	workers   = 2
	producers = 4
)

func produce(count uint64, to chan<- [line]byte) {
	var message [line]byte
	fill(message[:])
	for i := uint64(0); i < count; i++ {
		binary.LittleEndian.PutUint64(message[:], i)
		to <- message
	}
}

// Counts and adds up: what comes from several goroutines comes in any order.
func consumeAll(count, sequences uint64, from <-chan [line]byte) time.Duration {
	var begun time.Time
	var sum uint64
	for taken := uint64(1); taken <= count; taken++ {
		message := <-from
		sum += binary.LittleEndian.Uint64(message[:])
		if taken == count/warmUpPart {
			begun = time.Now()
		}
	}
	elapsed := time.Since(begun)
	if sum != sequences {
		fmt.Fprintf(os.Stderr, "bench go: not the messages that were sent\n")
		os.Exit(1)
	}
	return elapsed
}

func fan(count uint64) time.Duration {
	in, out := make(chan [line]byte, capacity), make(chan [line]byte, capacity)
	go func() {
		produce(count, in)
		close(in)
	}()
	for i := 0; i < workers; i++ {
		go func() {
			for message := range in {
				out <- message
			}
		}()
	}
	return consumeAll(count, count*(count-1)/2, out)
}

func many(count uint64) time.Duration {
	messages, each := make(chan [line]byte, capacity), count/producers
	for i := 0; i < producers; i++ {
		go produce(each, messages)
	}
	return consumeAll(each*producers, producers*(each*(each-1)/2), messages)
}

func roundTrips(count uint64) {
	there, back := make(chan [line]byte, 1), make(chan [line]byte, 1)
	samples := make([]int64, count)
	go func() {
		for message := range there {
			back <- message
		}
	}()
	var message [line]byte
	fill(message[:])
	before := time.Now()
	for i := range samples {
		binary.LittleEndian.PutUint64(message[:], uint64(i))
		there <- message
		if answer := <-back; answer != message {
			fmt.Fprintf(os.Stderr, "bench go: answer %d is wrong\n", i)
			os.Exit(1)
		}
		now := time.Now()
		samples[i] = now.Sub(before).Nanoseconds()
		before = now
	}
	samples = samples[count/warmUpPart:]
	sort.Slice(samples, func(i, j int) bool { return samples[i] < samples[j] })
	n := len(samples)
	fmt.Printf("{\"p50\": %d, \"p99\": %d, \"p999\": %d}\n", samples[n/2], samples[n*99/100], samples[n*999/1000])
}

// Nanoseconds of one receive from a channel that holds enough, median of many fillings.
func receive(count uint64, watching bool) float64 {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	messages := make(chan [line]byte, capacity)
	rounds := int(count/capacity) + 1
	samples := make([]float64, rounds)
	var message [line]byte
	for round := range samples {
		for i := 0; i < capacity; i++ {
			messages <- message
		}
		begun := time.Now()
		if watching {
			for i := 0; i < capacity; i++ {
				select {
				case message = <-messages:
				case <-ctx.Done():
					os.Exit(1)
				}
			}
		} else {
			for i := 0; i < capacity; i++ {
				message = <-messages
			}
		}
		samples[round] = float64(time.Since(begun).Nanoseconds()) / capacity
	}
	sort.Float64s(samples)
	return samples[rounds/2]
}
