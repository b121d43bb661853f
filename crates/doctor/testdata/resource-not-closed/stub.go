package cases

import (
	"context"

	"example.com/pb"
	"google.golang.org/grpc"
)

func healthy(ctx context.Context, address string) error {
	connection, err := grpc.NewClient(address) // want "the connection in connection is never closed"
	if err != nil {
		return err
	}
	_, err = pb.NewOrdersClient(connection).Create(ctx, nil)
	return err
}

type orders struct{ client pb.OrdersClient }

func newOrders(address string) (*orders, error) {
	connection, err := grpc.NewClient(address)
	if err != nil {
		return nil, err
	}
	return &orders{client: pb.NewOrdersClient(connection)}, nil
}

func (o *orders) dial(address string) error {
	connection, err := grpc.NewClient(address)
	if err != nil {
		return err
	}
	client := pb.NewOrdersClient(connection)
	o.client = client
	return nil
}
