package cases

import (
	"context"
	"errors"

	"github.com/opentracing/opentracing-go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

type service struct {
	tracer trace.Tracer
}

var tracer = otel.Tracer("service")

func (s *service) onePath(ctx context.Context, fail bool) error {
	ctx, span := s.tracer.Start(ctx, "onePath") // want "the span in span is not ended when the function leaves at line 21"
	if fail {
		return errors.New("failed")
	}
	span.End()
	return ctx.Err()
}

func never(ctx context.Context) error {
	ctx, span := tracer.Start(ctx, "never") // want "the span in span is never ended"
	span.AddEvent("here")
	return ctx.Err()
}

func (s *service) dropped(ctx context.Context) error {
	ctx, _ = s.tracer.Start(ctx, "dropped") // want low "is dropped here and never ended"
	return ctx.Err()
}

func byName(ctx context.Context) error {
	ctx, span := otel.Tracer("a").Start(ctx, "byName") // want "the span in span is never ended"
	span.SetAttributes()
	return ctx.Err()
}

func ofOpentracing(ctx context.Context, fail bool) error {
	span, ctx := opentracing.StartSpanFromContext(ctx, "op") // want "the span in span is not finished when"
	if fail {
		return ctx.Err()
	}
	span.Finish()
	return nil
}

func use(ctx context.Context, span trace.Span) { span.AddEvent("used") }

// A span is lent to whom it is given to.
func lent(ctx context.Context) {
	ctx, span := tracer.Start(ctx, "lent") // want "the span in span is never ended"
	use(ctx, span)
}

func travels(ctx context.Context) {
	ctx, _ := tracer.Start(ctx, "travels") // want low "is dropped here and never ended"
	call(ctx)
}

func call(ctx context.Context) { trace.SpanFromContext(ctx).End() }
