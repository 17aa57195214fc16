# Build: static, without cgo and without the workspace, so exactly with the versions of the root go.mod.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN GOWORK=off go mod download
COPY . .
RUN GOWORK=off CGO_ENABLED=0 go build -trimpath -tags disable_grpc_modules -ldflags '-s -w' -o /tidemark ./cmd/tidemark

# Run: no shell, no package manager, not root. Nothing is written to disk.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /tidemark /tidemark
EXPOSE 8080
USER nonroot:nonroot
ENTRYPOINT ["/tidemark"]
CMD ["run"]
