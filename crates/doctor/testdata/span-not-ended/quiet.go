package cases

import (
	"context"

	"go.opentelemetry.io/otel/trace"
)

type process struct{}

func (process) Start(ctx context.Context, name string) (context.Context, error) { return ctx, nil }

func deferred(ctx context.Context) {
	_, span := tracer.Start(ctx, "deferred")
	defer span.End()
}

func literal(ctx context.Context, err error) {
	ctx, span := tracer.Start(ctx, "literal")
	defer func() {
		if err != nil {
			span.RecordError(err)
		}
		span.End()
	}()
	_ = ctx
}

func returned(ctx context.Context) (context.Context, trace.Span) {
	return tracer.Start(ctx, "returned")
}

func named(ctx context.Context) (context.Context, trace.Span) {
	ctx, span := tracer.Start(ctx, "named")
	return ctx, span
}

func goroutine(ctx context.Context) {
	_, span := tracer.Start(ctx, "goroutine")
	go func() {
		defer span.End()
	}()
}

func endSpan(span trace.Span, err error) {
	span.RecordError(err)
	span.End()
}

func byHelper(ctx context.Context) {
	_, span := tracer.Start(ctx, "byHelper")
	endSpan(span, ctx.Err())
}

// Not a tracer.
func started(ctx context.Context, p process) error {
	_, err := p.Start(ctx, "worker")
	return err
}

func current(ctx context.Context) {
	span := trace.SpanFromContext(ctx)
	span.AddEvent("here")
}
