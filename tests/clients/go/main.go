// Drives the server at ZK_ADDRESS through the Go client (samuel/go-zookeeper): each step asserts, and
// the program fails when one of them did.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/samuel/go-zookeeper/zk"
)

const patience = 20 * time.Second

var (
	address = os.Getenv("ZK_ADDRESS")
	open    = zk.WorldACL(zk.PermAll)
	conn    *zk.Conn
)

type quiet struct{}

func (quiet) Printf(string, ...interface{}) {}

// line is a way to the server that can be cut and mended.
type line struct {
	mutex sync.Mutex
	cut   bool
	conns []net.Conn
}

func (l *line) dial(network, server string, timeout time.Duration) (net.Conn, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.cut {
		return nil, errors.New("the line is cut")
	}
	made, err := net.DialTimeout(network, server, timeout)
	if err == nil {
		l.conns = append(l.conns, made)
	}
	return made, err
}

func (l *line) set(cut bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.cut = cut
	if cut {
		for _, made := range l.conns {
			made.Close()
		}
		l.conns = nil
	}
}

func connect(timeout time.Duration, l *line) (*zk.Conn, <-chan zk.Event) {
	made, states, err := zk.Connect([]string{address}, timeout, zk.WithLogger(quiet{}), zk.WithDialer(l.dial))
	must(err)
	awaitState(states, zk.StateHasSession)
	return made, states
}

func awaitState(states <-chan zk.Event, wanted zk.State) {
	end := time.After(patience)
	for {
		select {
		case event := <-states:
			if event.State == wanted {
				return
			}
		case <-end:
			panic(fmt.Sprintf("the connection never became %v", wanted))
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(want, got interface{}) {
	if !reflect.DeepEqual(want, got) {
		panic(fmt.Sprintf("expected %v, got %v", want, got))
	}
}

func create(path string, flags int32) string {
	made, err := conn.Create(path, []byte(path), flags, open)
	must(err)
	return made
}

func expectEvent(events <-chan zk.Event, kind zk.EventType, path string) {
	select {
	case event := <-events:
		equal([]interface{}{kind, path, nil}, []interface{}{event.Type, event.Path, event.Err})
	case <-time.After(patience):
		panic(fmt.Sprintf("no event %v of %s", kind, path))
	}
}

func reads() {
	create("/go", 0)
	data, stat, err := conn.Get("/go")
	must(err)
	equal("/go", string(data))
	equal([]int32{0, 3, 0}, []int32{stat.Version, stat.DataLength, stat.NumChildren})
	equal(stat.Czxid, stat.Mzxid)
	set, err := conn.Set("/go", []byte("new"), 0)
	must(err)
	equal(int32(1), set.Version)
	equal(stat.Czxid+1, set.Mzxid)
	equal("/go/s0000000000", create("/go/s", zk.FlagSequence))
	equal("/go/s0000000001", create("/go/s", zk.FlagSequence|zk.FlagEphemeral))
	names, stat, err := conn.Children("/go")
	must(err)
	sort.Strings(names)
	equal([]string{"s0000000000", "s0000000001"}, names)
	equal(int32(2), stat.Cversion)
	there, stat, err := conn.Exists("/go/s0000000001")
	must(err)
	equal(true, there)
	equal(conn.SessionID(), stat.EphemeralOwner)
	there, _, err = conn.Exists("/none")
	must(err)
	equal(false, there)
	_, err = conn.Sync("/go")
	must(err)
	large := bytes.Repeat([]byte{7}, 900_000)
	_, err = conn.Set("/go", large, -1)
	must(err)
	data, _, err = conn.Get("/go")
	must(err)
	equal(true, bytes.Equal(large, data))
}

func refusals() {
	create("/no", 0)
	create("/no/child", 0)
	_, err := conn.Create("/no", nil, 0, open)
	equal(zk.ErrNodeExists, err)
	_, err = conn.Create("/none/child", nil, 0, open)
	equal(zk.ErrNoNode, err)
	_, _, err = conn.Get("/none")
	equal(zk.ErrNoNode, err)
	_, err = conn.Set("/no", nil, 5)
	equal(zk.ErrBadVersion, err)
	equal(zk.ErrNotEmpty, conn.Delete("/no", -1))
	equal(zk.ErrBadVersion, conn.Delete("/no/child", 5))
	must(conn.Delete("/no/child", 0))
	create("/no/e", zk.FlagEphemeral)
	_, err = conn.Create("/no/e/child", nil, 0, open)
	equal(zk.ErrNoChildrenForEphemerals, err)
	_, err = conn.Create("/no/acl", nil, 0, []zk.ACL{{Perms: 31, Scheme: "nonsense", ID: "x"}})
	equal(zk.ErrInvalidACL, err)
}

func acls() {
	_, err := conn.Create("/acl", nil, 0, zk.DigestACL(zk.PermAll, "ann", "pw"))
	must(err)
	_, _, err = conn.Get("/acl")
	equal(zk.ErrNoAuth, err)
	must(conn.AddAuth("digest", []byte("ann:pw")))
	_, _, err = conn.Get("/acl")
	must(err)
	_, err = conn.SetACL("/acl", zk.WorldACL(zk.PermRead), 0)
	must(err)
	list, stat, err := conn.GetACL("/acl")
	must(err)
	equal(zk.WorldACL(zk.PermRead), list)
	equal(int32(1), stat.Aversion)
	_, err = conn.Set("/acl", nil, -1)
	equal(zk.ErrNoAuth, err)
}

func multis() {
	results, err := conn.Multi(
		&zk.CreateRequest{Path: "/multi", Data: []byte("a"), Acl: open},
		&zk.CreateRequest{Path: "/multi/s", Acl: open, Flags: zk.FlagSequence},
		&zk.CheckVersionRequest{Path: "/multi", Version: 0},
		&zk.SetDataRequest{Path: "/multi", Data: []byte("b"), Version: 0},
		&zk.DeleteRequest{Path: "/multi/s0000000000", Version: -1})
	must(err)
	equal(5, len(results))
	equal("/multi/s0000000000", results[1].String)
	equal(int32(1), results[3].Stat.Version)
	_, err = conn.Multi(
		&zk.DeleteRequest{Path: "/multi", Version: -1},
		&zk.CheckVersionRequest{Path: "/go", Version: 99})
	equal(zk.ErrBadVersion, err)
	data, _, err := conn.Get("/multi")
	must(err)
	equal("b", string(data))
}

func watches() {
	create("/w", 0)
	_, _, data, err := conn.GetW("/w")
	must(err)
	_, _, children, err := conn.ChildrenW("/w")
	must(err)
	_, _, exists, err := conn.ExistsW("/w/x")
	must(err)
	create("/w/x", 0)
	expectEvent(exists, zk.EventNodeCreated, "/w/x")
	expectEvent(children, zk.EventNodeChildrenChanged, "/w")
	_, err = conn.Set("/w", nil, -1)
	must(err)
	expectEvent(data, zk.EventNodeDataChanged, "/w")
	_, _, gone, err := conn.GetW("/w/x")
	must(err)
	must(conn.Delete("/w/x", -1))
	expectEvent(gone, zk.EventNodeDeleted, "/w/x")
}

func ephemerals() {
	other, _ := connect(10*time.Second, &line{})
	_, err := other.Create("/eph", nil, zk.FlagEphemeral, open)
	must(err)
	protected, err := other.CreateProtectedEphemeralSequential("/eph-p", nil, open)
	must(err)
	there, _, gone, err := conn.ExistsW("/eph")
	must(err)
	equal(true, there)
	other.Close()
	expectEvent(gone, zk.EventNodeDeleted, "/eph")
	there, _, err = conn.Exists(protected)
	must(err)
	equal(false, there)
}

// locks has goroutines of two sessions count under one lock.
func locks() {
	other, _ := connect(10*time.Second, &line{})
	_, err := conn.Create("/counted", []byte("0"), 0, open)
	must(err)
	failures := make(chan interface{}, 6)
	for i := 0; i < 6; i++ {
		mine := []*zk.Conn{conn, other}[i%2]
		go func() {
			defer func() { failures <- recover() }()
			for round := 0; round < 10; round++ {
				lock := zk.NewLock(mine, "/lock", open)
				must(lock.Lock())
				data, stat, err := mine.Get("/counted")
				must(err)
				number, err := strconv.Atoi(string(data))
				must(err)
				_, err = mine.Set("/counted", []byte(strconv.Itoa(number+1)), stat.Version)
				must(err)
				must(lock.Unlock())
			}
		}()
	}
	for i := 0; i < 6; i++ {
		if failure := <-failures; failure != nil {
			panic(failure)
		}
	}
	data, _, err := conn.Get("/counted")
	must(err)
	equal("60", string(data))
	other.Close()
}

// reconnects cuts the line: the session, its ephemerals and its watches go on.
func reconnects() {
	cut := &line{}
	other, states := connect(10*time.Second, cut)
	session := other.SessionID()
	_, err := other.Create("/cut", nil, zk.FlagEphemeral, open)
	must(err)
	create("/cut-data", 0)
	create("/cut-dir", 0)
	_, err = other.Sync("/")
	must(err)
	_, _, data, err := other.GetW("/cut-data")
	must(err)
	_, _, made, err := other.ExistsW("/cut-made")
	must(err)
	_, _, children, err := other.ChildrenW("/cut-dir")
	must(err)
	cut.set(true)
	awaitState(states, zk.StateDisconnected)
	_, err = conn.Set("/cut-data", nil, -1)
	must(err)
	create("/cut-made", 0)
	create("/cut-dir/child", 0)
	cut.set(false)
	awaitState(states, zk.StateHasSession)
	expectEvent(data, zk.EventNodeDataChanged, "/cut-data")
	expectEvent(made, zk.EventNodeCreated, "/cut-made")
	expectEvent(children, zk.EventNodeChildrenChanged, "/cut-dir")
	equal(session, other.SessionID())
	there, _, err := other.Exists("/cut")
	must(err)
	equal(true, there)
	other.Close()
}

func expires() {
	cut := &line{}
	other, states := connect(time.Second, cut)
	_, err := other.Create("/silent", nil, zk.FlagEphemeral, open)
	must(err)
	_, err = conn.Sync("/")
	must(err)
	there, _, gone, err := conn.ExistsW("/silent")
	must(err)
	equal(true, there)
	cut.set(true)
	expectEvent(gone, zk.EventNodeDeleted, "/silent")
	cut.set(false)
	awaitState(states, zk.StateExpired)
	awaitState(states, zk.StateHasSession)
	other.Close()
}

// words leaves out srvr and cons, of which this client reads only what servers before 3.5 print.
func words() {
	equal([]bool{true}, zk.FLWRuok([]string{address}, patience))
}

func main() {
	var states <-chan zk.Event
	conn, states = connect(10*time.Second, &line{})
	go func() {
		for range states {
		}
	}()
	steps := []struct {
		name string
		body func()
	}{
		{"create, get, set, children", reads}, {"refusals", refusals}, {"acl", acls},
		{"multi", multis}, {"watches", watches}, {"ephemerals", ephemerals}, {"lock", locks},
		{"reconnect", reconnects}, {"expiry", expires}, {"words", words},
	}
	failed := 0
	for _, step := range steps {
		start := time.Now()
		failure := run(step.body)
		took := time.Since(start).Milliseconds()
		if failure == "" {
			fmt.Printf("ok      %s (%d ms)\n", step.name, took)
		} else {
			failed++
			fmt.Printf("FAILED  %s (%d ms): %s\n", step.name, took, strings.TrimSpace(failure))
		}
	}
	conn.Close()
	fmt.Printf("%d passed, %d failed\n", len(steps)-failed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func run(body func()) (failure string) {
	defer func() {
		if caught := recover(); caught != nil {
			failure = fmt.Sprint(caught)
		}
	}()
	body()
	return ""
}
