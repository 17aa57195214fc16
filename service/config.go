package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"tidemark/buffer"
	"tidemark/consumer"
	"tidemark/destination"
	"tidemark/loader"
	"tidemark/warehouse"
)

// Prefix of every environment variable.
const Prefix = "TIDEMARK"

// Config is the whole configuration: one part per package. Variables carry the prefix TIDEMARK_.
type Config struct {
	Consumer    consumer.Config
	Buffer      buffer.Config
	Loader      loader.Config
	Warehouse   warehouse.Config
	Destination destination.Config
	Service     Options
}

// Options are the service's own.
type Options struct {
	// HTTPAddr serves health, metrics, status and pprof.
	HTTPAddr string `envconfig:"HTTP_ADDR" default:":8080" desc:"Address that serves /healthz, /readyz, /metrics, /status and /debug/pprof."`
	// AllowSecondGroup lets this group write tables that another group fills.
	AllowSecondGroup bool `envconfig:"ALLOW_SECOND_GROUP" default:"false" desc:"Allow this consumer group to write tables that another group has filled: right where the two export different topics or teams, and otherwise every event is doubled."`
	// LogFormat is the form of log lines.
	LogFormat string `envconfig:"LOG_FORMAT" default:"json" desc:"Form of log lines: json, with durations in seconds, or text."`
	// LogLevel is the least important level that is logged.
	LogLevel string `envconfig:"LOG_LEVEL" default:"info" desc:"Least important level that is logged: debug, info, warn or error."`
	// StartTimeout bounds how long start-up waits for what the configuration names.
	StartTimeout time.Duration `envconfig:"START_TIMEOUT" default:"2m" desc:"How long start-up retries to reach brokers, bucket and dataset before it gives up with exit code 1."`
}

// Validate reports every fault of the options.
func (o *Options) Validate() error {
	errs := []error{validateAddr(o.HTTPAddr)}
	if o.LogFormat != "json" && o.LogFormat != "text" {
		errs = append(errs, fmt.Errorf("TIDEMARK_LOG_FORMAT is %q; want json or text", o.LogFormat))
	}
	if err := new(slog.LevelVar).UnmarshalText([]byte(o.LogLevel)); err != nil {
		errs = append(errs, fmt.Errorf("TIDEMARK_LOG_LEVEL is %q; want debug, info, warn or error", o.LogLevel))
	}
	if o.StartTimeout <= 0 {
		errs = append(errs, fmt.Errorf("TIDEMARK_START_TIMEOUT is %s; want more than 0s", o.StartTimeout))
	}
	return errors.Join(errs...)
}

// validateAddr wants host:port or :port. An empty address would be a random port on all interfaces.
func validateAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("TIDEMARK_HTTP_ADDR is %q; want host:port or :port with a port from 0 to 65535", addr)
	}
	return nil
}

// checkFree finds out whether the address can be listened on now, so that a port that is taken is told of with the other faults.
// Port 0 is any free one.
func checkFree(addr string) error {
	if validateAddr(addr) != nil {
		return nil //nolint:nilerr // told already
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("TIDEMARK_HTTP_ADDR is %q; want an address of this machine with a free port: %w", addr, err)
	}
	return l.Close()
}

// validator is a part of the configuration.
type validator interface{ Validate() error }

// parts lists the parts in the order of the documentation.
func (c *Config) parts() []validator {
	return []validator{&c.Consumer, &c.Buffer, &c.Loader, &c.Warehouse, &c.Destination, &c.Service}
}

// ReadConfig reads the configuration from the environment and reports all its faults together, each with the variable,
// what was found and what is allowed. Warnings name variables with our prefix that tidemark does not know; they are no
// fault, because Kubernetes injects TIDEMARK_PORT and the like for a Service of that name.
func ReadConfig() (c Config, warnings []string, err error) {
	var errs []error
	for _, part := range c.parts() {
		faults := readPart(part)
		errs = append(errs, faults...)
		if len(faults) == 0 { // relations between values that cannot be read would only confuse
			errs = append(errs, part.Validate())
		}
	}
	return c, append(unknownVariables(os.Environ()), c.Consumer.Warnings()...), errors.Join(errs...)
}

// ReadRunConfig is [ReadConfig] for a replica, which also needs its HTTP address to be free.
func ReadRunConfig() (Config, []string, error) {
	c, warnings, err := ReadConfig()
	return c, warnings, errors.Join(err, checkFree(c.Service.HTTPAddr))
}

// readPart reads one variable after the other, because envconfig stops at the first fault and people want to see all.
func readPart(part validator) (errs []error) {
	v := reflect.ValueOf(part).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		whole := f
		// With a prefix envconfig falls back to the name without it, and a stray PREFIX or GROUP would be taken for ours.
		whole.Tag = reflect.StructTag(strings.Replace(string(f.Tag), `envconfig:"`, `envconfig:"`+Prefix+"_", 1))
		one := reflect.New(reflect.StructOf([]reflect.StructField{whole}))
		if err := envconfig.Process("", one.Interface()); err != nil {
			errs = append(errs, readable(f, err))
			continue
		}
		v.Field(i).Set(one.Elem().Field(0))
	}
	return errs
}

func readable(f reflect.StructField, err error) error {
	name := Prefix + "_" + f.Tag.Get("envconfig")
	value, found := os.LookupEnv(name)
	if !found {
		return fmt.Errorf("%s is not set; want: %s", name, f.Tag.Get("desc"))
	}
	var parse *envconfig.ParseError
	if errors.As(err, &parse) {
		err = parse.Err
	}
	if strings.Contains(name, "PASSWORD") {
		value = "(secret)"
	}
	return fmt.Errorf("%s is %q; want %s (%w)", name, value, kindOf(f.Type), err)
}
