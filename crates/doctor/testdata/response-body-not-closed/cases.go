package cases

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

type doer interface {
	Do(*http.Request) (*http.Response, error)
}

type api struct {
	client doer
	http   *http.Client
}

func never(url string) (int, error) {
	resp, err := http.Get(url) // want "the body of resp is never closed"
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

func badStatus(url string, into any) error {
	resp, err := http.Get(url) // want "the body of resp is not closed when the function leaves at line 37"
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

func (a *api) byInterface(req *http.Request) ([]byte, error) {
	resp, err := a.client.Do(req) // want "the body of resp is never closed"
	if err != nil {
		return nil, err
	}
	return io.ReadAll(resp.Body)
}

func (a *api) dropped(url string) bool {
	_, err := a.http.Get(url) // want "the body of http.Client.Get is dropped here"
	return err == nil
}

func warm(url string) {
	http.Get(url) // want "is dropped here and never closed"
}

func (a *api) retried(req *http.Request) (resp *http.Response, err error) {
	for range 3 {
		resp, err = a.http.Do(req) // want "the body of resp is not closed before line"
		if err == nil && resp.StatusCode < 500 {
			return resp, nil
		}
		time.Sleep(time.Second)
	}
	return nil, err
}

func (a *api) call(url string) (*http.Response, error) {
	return a.http.Get(url)
}

func (a *api) throughMethod(url string) error {
	resp, err := a.call(url) // want "the body of resp is never closed"
	if err != nil {
		return err
	}
	if resp.StatusCode != 200 {
		return errors.New("bad")
	}
	return nil
}

func object(ctx context.Context, client *s3.Client, input *s3.GetObjectInput) ([]byte, error) {
	out, err := client.GetObject(ctx, input) // want "the body of out is never closed"
	if err != nil {
		return nil, err
	}
	return io.ReadAll(out.Body)
}
