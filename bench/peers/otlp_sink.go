// SPDX-License-Identifier: Apache-2.0

// otlp_sink ADDRESS receives OTLP profiles; on SIGINT it prints one line of JSON: the bytes
// before compression, and by process id and thread name how many samples have no frame that is an error,
// of how many. bench/sampler_peers builds it within the OpenTelemetry profiler's tree.
package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
)

type sink struct {
	pprofileotlp.UnimplementedGRPCServer
	mutex   sync.Mutex
	Bytes   int               `json:"bytes"`
	Threads map[string][2]int `json:"threads"`
}

func attribute(d pprofile.ProfilesDictionary, indices pcommon.Int32Slice, key string) string {
	for i := 0; i < indices.Len(); i++ {
		a := d.AttributeTable().At(int(indices.At(i)))
		if d.StringTable().At(int(a.KeyStrindex())) == key {
			return a.Value().AsString()
		}
	}
	return ""
}

func isWhole(d pprofile.ProfilesDictionary, sample pprofile.Sample) bool {
	stack := d.StackTable().At(int(sample.StackIndex())).LocationIndices()
	for i := 0; i < stack.Len(); i++ {
		location := d.LocationTable().At(int(stack.At(i)))
		kind := attribute(d, location.AttributeIndices(), "profile.frame.type")
		if strings.Contains(kind, "error") || strings.Contains(kind, "abort") {
			return false
		}
	}
	return true
}

func (s *sink) add(d pprofile.ProfilesDictionary, pid string, sample pprofile.Sample) {
	n := max(sample.TimestampsUnixNano().Len(), 1)
	name := pid + " " + attribute(d, sample.AttributeIndices(), "thread.name")
	counts := s.Threads[name]
	counts[1] += n
	if isWhole(d, sample) {
		counts[0] += n
	}
	s.Threads[name] = counts
}

func (s *sink) Export(_ context.Context, request pprofileotlp.ExportRequest) (pprofileotlp.ExportResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	profiles := request.Profiles()
	marshaler := pprofile.ProtoMarshaler{}
	s.Bytes += marshaler.ProfilesSize(profiles)
	for i := 0; i < profiles.ResourceProfiles().Len(); i++ {
		scopes := profiles.ResourceProfiles().At(i).ScopeProfiles()
		pid := "0"
		if value, ok := profiles.ResourceProfiles().At(i).Resource().Attributes().Get("process.pid"); ok {
			pid = value.AsString()
		}
		for j := 0; j < scopes.Len(); j++ {
			for k := 0; k < scopes.At(j).Profiles().Len(); k++ {
				samples := scopes.At(j).Profiles().At(k).Samples()
				for l := 0; l < samples.Len(); l++ {
					s.add(profiles.Dictionary(), pid, samples.At(l))
				}
			}
		}
	}
	return pprofileotlp.NewExportResponse(), nil
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	s := &sink{Threads: map[string][2]int{}}
	pprofileotlp.RegisterGRPCServer(server, s)
	go func() { _ = server.Serve(listener) }()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
	s.mutex.Lock()
	_ = json.NewEncoder(os.Stdout).Encode(s)
}
