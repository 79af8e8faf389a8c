// SPDX-License-Identifier: Apache-2.0
// A worker pool: jobs "ID MILLISECONDS" from one file, results into another, jobs that took too long into a third: work JOBS RESULTS DEAD
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const workers, limit = 4, 200 * time.Millisecond

func work(ctx context.Context, job string) (string, error) {
	var id, ms int
	if _, err := fmt.Sscanf(job, "%d %d", &id, &ms); err != nil {
		return "", err
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return fmt.Sprintf("%d done in %d ms", id, ms), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// One worker: a job at a time, each within its limit.
func worker(jobs <-chan string, results, dead chan<- string) {
	for job := range jobs {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		result, err := work(ctx, job)
		cancel()
		if err != nil {
			dead <- job
		} else {
			results <- result
		}
	}
}

// The source: until the end of the file, or until it is told to stop; what it has handed on is finished.
func read(ctx context.Context, path string, jobs chan<- string) {
	defer close(jobs)
	file, err := os.Open(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		select {
		case jobs <- lines.Text():
		case <-ctx.Done():
			return
		}
	}
}

func write(path string, lines <-chan string, done *sync.WaitGroup) {
	defer done.Done()
	file, err := os.Create(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer file.Close()
	for line := range lines {
		fmt.Fprintln(file, line)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	jobs, results, dead := make(chan string), make(chan string), make(chan string)
	var pool, sinks sync.WaitGroup
	go read(ctx, os.Args[1], jobs)
	for i := 0; i < workers; i++ {
		pool.Add(1)
		go func() {
			defer pool.Done()
			worker(jobs, results, dead)
		}()
	}
	sinks.Add(2)
	go write(os.Args[2], results, &sinks)
	go write(os.Args[3], dead, &sinks)
	pool.Wait()
	close(results)
	close(dead)
	sinks.Wait()
}
