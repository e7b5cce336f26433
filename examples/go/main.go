// A small order service on Lockstep: an order pays from a wallet and is recorded, both or neither.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "example.com/lockstep-example/lockstepv1"
)

const (
	callTime     = 10 * time.Second
	mostAttempts = 20
)

// value makes a Go value Lockstep's, by its type; nil is NULL.
func value(its any) *pb.Value {
	switch its := its.(type) {
	case nil:
		return &pb.Value{}
	case int:
		return &pb.Value{Kind: &pb.Value_IntValue{IntValue: int64(its)}}
	case float64:
		return &pb.Value{Kind: &pb.Value_RealValue{RealValue: its}}
	case []byte:
		return &pb.Value{Kind: &pb.Value_BlobValue{BlobValue: its}}
	case string:
		return &pb.Value{Kind: &pb.Value_TextValue{TextValue: its}}
	}
	panic(fmt.Sprintf("SQLite has no type for %T", its))
}

// plain is the other way.
func plain(its *pb.Value) any {
	switch kind := its.Kind.(type) {
	case *pb.Value_IntValue:
		return kind.IntValue
	case *pb.Value_RealValue:
		return kind.RealValue
	case *pb.Value_BlobValue:
		return kind.BlobValue
	case *pb.Value_TextValue:
		return kind.TextValue
	}
	return nil
}

func statement(sql string, params ...any) *pb.Statement {
	made := &pb.Statement{Sql: sql}
	for _, its := range params {
		made.Params = append(made.Params, value(its))
	}
	return made
}

// guarded gives a statement its guard: how many rows it has to affect or return.
func guarded(its *pb.Statement, rows uint32) *pb.Statement {
	its.Expect = &pb.RowExpectation{Rows: proto.Uint32(rows)}
	return its
}

func operation(database string, statements ...*pb.Statement) *pb.Operation {
	return &pb.Operation{Database: database, Statements: statements}
}

// refused means that nothing happened, and that the same request would not do better.
type refused struct {
	reason   string
	metadata map[string]string
	message  string
}

func (r *refused) Error() string { return r.message }

// detailsOf returns the ErrorInfo of a failed call and the pause before a retry; nil for what is not
// there. Without an ErrorInfo the error is not Lockstep's: a lost connection, a client's deadline.
func detailsOf(err error) (info *errdetails.ErrorInfo, retry *errdetails.RetryInfo) {
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			info = detail
		case *errdetails.RetryInfo:
			retry = detail
		}
	}
	return info, retry
}

type orders struct {
	client pb.CoordinatorServiceClient
}

// execute runs a request that has a request_id, once, however often it has to be sent.
func (o *orders) execute(request *pb.ExecuteRequest, firstAttempt uint32) (*pb.ExecuteResponse, error) {
	for attempt := firstAttempt; attempt < firstAttempt+mostAttempts; attempt++ {
		request.Attempt = proto.Uint32(attempt)
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		answer, err := o.client.Execute(ctx, request)
		cancel()
		if err == nil {
			return answer, nil
		}
		info, retry := detailsOf(err)
		if info != nil && info.Metadata["outcome"] != "UNKNOWN" && retry == nil {
			return nil, &refused{info.Reason, info.Metadata, status.Convert(err).Message()}
		}
		// Aborted and worth a retry, or unknown: request_id makes sending it again safe, and attempt
		// keeps the try before from happening after this one was answered.
		pause := 100 * time.Millisecond
		if retry != nil {
			pause = retry.RetryDelay.AsDuration()
		}
		time.Sleep(pause)
	}
	return nil, fmt.Errorf("%s is not decided after %d attempts", request.RequestId, mostAttempts)
}

// resolve tells how a request ended, without sending it again. Unspecified means that nothing is
// known of it, not that it was aborted. No lower attempt can happen after that.
func (o *orders) resolve(requestID string, attempt uint32) (pb.Outcome, error) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), callTime)
		answer, err := o.client.GetTransaction(ctx,
			&pb.GetTransactionRequest{RequestId: requestID, Attempt: proto.Uint32(attempt)})
		cancel()
		if status.Code(err) == codes.NotFound {
			return pb.Outcome_OUTCOME_UNSPECIFIED, nil
		}
		if err != nil {
			return pb.Outcome_OUTCOME_UNSPECIFIED, err
		}
		if answer.Outcome != pb.Outcome_OUTCOME_IN_PROGRESS {
			return answer.Outcome, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (o *orders) query(database, sql string, params ...any) ([][]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	request := &pb.QueryRequest{Database: database, Sql: sql}
	for _, its := range params {
		request.Params = append(request.Params, value(its))
	}
	answer, err := o.client.Query(ctx, request)
	if err != nil {
		return nil, err
	}
	var rows [][]any
	for _, row := range answer.Rows {
		var values []any
		for _, its := range row.Values {
			values = append(values, plain(its))
		}
		rows = append(rows, values)
	}
	return rows, nil
}

func (o *orders) setUp() error {
	_, err := o.execute(&pb.ExecuteRequest{RequestId: "go-set-up-1", Operations: []*pb.Operation{
		operation("bank",
			statement("CREATE TABLE IF NOT EXISTS go_wallet(owner TEXT PRIMARY KEY, coins INTEGER,"+
				" rate REAL, photo BLOB, note TEXT)"),
			statement("INSERT INTO go_wallet VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
				"Anna", 100, 0.5, []byte{0, 255}, nil)),
		operation("orders",
			statement("CREATE TABLE IF NOT EXISTS go_invoice(id TEXT PRIMARY KEY, owner TEXT,"+
				" coins INTEGER)")),
	}}, 1)
	return err
}

func orderRequest(order, owner string, coins int) *pb.ExecuteRequest {
	return &pb.ExecuteRequest{RequestId: "go-order-" + order, Operations: []*pb.Operation{
		// The guard: a wallet that has too little is not found.
		operation("bank", guarded(
			statement("UPDATE go_wallet SET coins = coins - ? WHERE owner = ? AND coins >= ?"+
				" RETURNING coins", coins, owner, coins), 1)),
		operation("orders",
			statement("INSERT INTO go_invoice VALUES (?, ?, ?)", order, owner, coins)),
	}}
}

// place returns what is left in the wallet, and whether the order had been placed before.
func (o *orders) place(order, owner string, coins int) (left any, before bool, err error) {
	answer, err := o.execute(orderRequest(order, owner, coins), 1)
	if err != nil {
		return nil, false, err
	}
	return plain(answer.Results[0].Statements[0].Rows[0].Values[0]), answer.Deduplicated, nil
}

// placeHastily gives up at once, and then finds out what became of it.
func (o *orders) placeHastily(order, owner string, coins int) (bool, error) {
	request := orderRequest(order, owner, coins)
	request.Attempt = proto.Uint32(1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := o.client.Execute(ctx, request); err == nil {
		return true, nil
	}
	outcome, err := o.resolve(request.RequestId, 2)
	if err != nil || outcome != pb.Outcome_OUTCOME_UNSPECIFIED {
		return outcome == pb.Outcome_OUTCOME_COMMITTED, err
	}
	// It never arrived, or is older than what the coordinator keeps: its request_id tells.
	_, err = o.execute(request, 2)
	return err == nil, err
}

//go:embed service_config.json
var serviceConfig string

func run(endpoint string) error {
	connection, err := grpc.NewClient(endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDefaultServiceConfig(serviceConfig))
	if err != nil {
		return err
	}
	defer connection.Close()
	o := &orders{pb.NewCoordinatorServiceClient(connection)}
	if err := o.setUp(); err != nil {
		return err
	}
	rows, err := o.query("bank", "SELECT * FROM go_wallet WHERE owner = ?", "Anna")
	if err != nil {
		return err
	}
	fmt.Println("values:", rows[0])
	for i := 0; i < 2; i++ {
		left, before, err := o.place("1", "Anna", 30)
		if err != nil {
			return err
		}
		fmt.Printf("order 1: %v coins left, placed before: %v\n", left, before)
	}
	var no *refused
	if _, _, err := o.place("2", "Anna", 500); !errors.As(err, &no) {
		return fmt.Errorf("order 2 was not refused: %v", err)
	}
	fmt.Println("order 2: refused,", no.reason, "wanted", no.metadata["expected_rows"],
		"row, found", no.metadata["actual_rows"])
	happened, err := o.placeHastily("3", "Anna", 5)
	if err != nil {
		return err
	}
	fmt.Println("order 3: resolved, placed:", happened)
	coins, err := o.query("bank", "SELECT coins FROM go_wallet WHERE owner = 'Anna'")
	if err != nil {
		return err
	}
	spent, err := o.query("orders", "SELECT sum(coins) FROM go_invoice")
	if err != nil {
		return err
	}
	agree := coins[0][0].(int64)+spent[0][0].(int64) == 100
	fmt.Println("wallet and invoices agree:", agree)
	if !agree {
		return errors.New("they do not add up to 100")
	}
	return nil
}

func main() {
	endpoint := "127.0.0.1:7400"
	if len(os.Args) > 1 {
		endpoint = os.Args[1]
	}
	if err := run(endpoint); err != nil {
		log.Fatal(err)
	}
}
