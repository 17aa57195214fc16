package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cloud.google.com/go/auth/credentials/impersonate"
	"cloud.google.com/go/storage"
	bq "google.golang.org/api/bigquery/v2"
	"google.golang.org/api/option"
)

// Services are clients of BigQuery and Cloud Storage with one identity. BigQuery's is the raw one: its job resources are what a
// probe is about, and the library around it leaves fields out.
type Services struct {
	BigQuery *bq.Service
	Storage  *storage.Client
}

// Close frees the connections.
func (s *Services) Close() error { return s.Storage.Close() }

// Connector makes clients that act as a service account, or, if account is empty, with the ambient credentials.
type Connector func(ctx context.Context, account string) (*Services, error)

// ErrNoIdentities means that an emulator, which has no identities, was asked for another one.
var ErrNoIdentities = errors.New("an emulator has no identities to impersonate")

// cloudPlatform is the scope of everything that the permissions of an account allow.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// Connect returns the Connector of the services that the configuration names: Google's, or those of an endpoint, to which no
// credentials are sent. It sends no request except for credentials.
func Connect(cfg Config) Connector {
	return func(ctx context.Context, account string) (*Services, error) {
		var identity []option.ClientOption
		if account != "" {
			if cfg.BigQueryEndpoint != "" || cfg.Loader.GCSEndpoint != "" {
				return nil, ErrNoIdentities
			}
			credentials, err := impersonate.NewCredentials(&impersonate.CredentialsOptions{
				TargetPrincipal: account, Scopes: []string{cloudPlatform},
			})
			if err != nil {
				return nil, fmt.Errorf("impersonate %s: %w", account, err)
			}
			identity = append(identity, option.WithAuthCredentials(credentials))
		}
		warehouse, err := bq.NewService(ctx, at(cfg.BigQueryEndpoint, "/bigquery/v2/", identity)...)
		if err != nil {
			return nil, fmt.Errorf("connect to BigQuery: %w", err)
		}
		objects, err := storage.NewClient(ctx, append(at(cfg.Loader.GCSEndpoint, "/storage/v1/", identity), storage.WithJSONReads())...)
		if err != nil {
			return nil, fmt.Errorf("connect to Cloud Storage: %w", err)
		}
		return &Services{warehouse, objects}, nil
	}
}

// at are the options of a client: of an endpoint, if there is one, or of Google with an identity.
func at(endpoint, path string, identity []option.ClientOption) []option.ClientOption {
	if endpoint == "" {
		return append([]option.ClientOption(nil), identity...)
	}
	return []option.ClientOption{option.WithEndpoint(strings.TrimSuffix(endpoint, "/") + path), option.WithoutAuthentication()}
}
