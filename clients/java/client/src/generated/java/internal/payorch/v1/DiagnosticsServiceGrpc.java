package internal.payorch.v1;

import static io.grpc.MethodDescriptor.generateFullMethodName;

/**
 * <pre>
 * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
 * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
 * PaymentOrchestrationService's.
 * </pre>
 */
@io.grpc.stub.annotations.GrpcGenerated
public final class DiagnosticsServiceGrpc {

  private DiagnosticsServiceGrpc() {}

  public static final java.lang.String SERVICE_NAME = "payorch.v1.DiagnosticsService";

  // Static method descriptors that strictly reflect the proto.
  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.ExplainRouteRequest,
      internal.payorch.v1.ExplainRouteResponse> getExplainRouteMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ExplainRoute",
      requestType = internal.payorch.v1.ExplainRouteRequest.class,
      responseType = internal.payorch.v1.ExplainRouteResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.ExplainRouteRequest,
      internal.payorch.v1.ExplainRouteResponse> getExplainRouteMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.ExplainRouteRequest, internal.payorch.v1.ExplainRouteResponse> getExplainRouteMethod;
    if ((getExplainRouteMethod = DiagnosticsServiceGrpc.getExplainRouteMethod) == null) {
      synchronized (DiagnosticsServiceGrpc.class) {
        if ((getExplainRouteMethod = DiagnosticsServiceGrpc.getExplainRouteMethod) == null) {
          DiagnosticsServiceGrpc.getExplainRouteMethod = getExplainRouteMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.ExplainRouteRequest, internal.payorch.v1.ExplainRouteResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ExplainRoute"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ExplainRouteRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ExplainRouteResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DiagnosticsServiceMethodDescriptorSupplier("ExplainRoute"))
              .build();
        }
      }
    }
    return getExplainRouteMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.GetCallRequest,
      internal.payorch.v1.GetCallResponse> getGetCallMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetCall",
      requestType = internal.payorch.v1.GetCallRequest.class,
      responseType = internal.payorch.v1.GetCallResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.GetCallRequest,
      internal.payorch.v1.GetCallResponse> getGetCallMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.GetCallRequest, internal.payorch.v1.GetCallResponse> getGetCallMethod;
    if ((getGetCallMethod = DiagnosticsServiceGrpc.getGetCallMethod) == null) {
      synchronized (DiagnosticsServiceGrpc.class) {
        if ((getGetCallMethod = DiagnosticsServiceGrpc.getGetCallMethod) == null) {
          DiagnosticsServiceGrpc.getGetCallMethod = getGetCallMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.GetCallRequest, internal.payorch.v1.GetCallResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetCall"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.GetCallRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.GetCallResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DiagnosticsServiceMethodDescriptorSupplier("GetCall"))
              .build();
        }
      }
    }
    return getGetCallMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.GetQuotaRequest,
      internal.payorch.v1.GetQuotaResponse> getGetQuotaMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "GetQuota",
      requestType = internal.payorch.v1.GetQuotaRequest.class,
      responseType = internal.payorch.v1.GetQuotaResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.GetQuotaRequest,
      internal.payorch.v1.GetQuotaResponse> getGetQuotaMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.GetQuotaRequest, internal.payorch.v1.GetQuotaResponse> getGetQuotaMethod;
    if ((getGetQuotaMethod = DiagnosticsServiceGrpc.getGetQuotaMethod) == null) {
      synchronized (DiagnosticsServiceGrpc.class) {
        if ((getGetQuotaMethod = DiagnosticsServiceGrpc.getGetQuotaMethod) == null) {
          DiagnosticsServiceGrpc.getGetQuotaMethod = getGetQuotaMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.GetQuotaRequest, internal.payorch.v1.GetQuotaResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "GetQuota"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.GetQuotaRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.GetQuotaResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DiagnosticsServiceMethodDescriptorSupplier("GetQuota"))
              .build();
        }
      }
    }
    return getGetQuotaMethod;
  }

  private static volatile io.grpc.MethodDescriptor<internal.payorch.v1.ListUnsettledIntentsRequest,
      internal.payorch.v1.ListUnsettledIntentsResponse> getListUnsettledIntentsMethod;

  @io.grpc.stub.annotations.RpcMethod(
      fullMethodName = SERVICE_NAME + '/' + "ListUnsettledIntents",
      requestType = internal.payorch.v1.ListUnsettledIntentsRequest.class,
      responseType = internal.payorch.v1.ListUnsettledIntentsResponse.class,
      methodType = io.grpc.MethodDescriptor.MethodType.UNARY)
  public static io.grpc.MethodDescriptor<internal.payorch.v1.ListUnsettledIntentsRequest,
      internal.payorch.v1.ListUnsettledIntentsResponse> getListUnsettledIntentsMethod() {
    io.grpc.MethodDescriptor<internal.payorch.v1.ListUnsettledIntentsRequest, internal.payorch.v1.ListUnsettledIntentsResponse> getListUnsettledIntentsMethod;
    if ((getListUnsettledIntentsMethod = DiagnosticsServiceGrpc.getListUnsettledIntentsMethod) == null) {
      synchronized (DiagnosticsServiceGrpc.class) {
        if ((getListUnsettledIntentsMethod = DiagnosticsServiceGrpc.getListUnsettledIntentsMethod) == null) {
          DiagnosticsServiceGrpc.getListUnsettledIntentsMethod = getListUnsettledIntentsMethod =
              io.grpc.MethodDescriptor.<internal.payorch.v1.ListUnsettledIntentsRequest, internal.payorch.v1.ListUnsettledIntentsResponse>newBuilder()
              .setType(io.grpc.MethodDescriptor.MethodType.UNARY)
              .setFullMethodName(generateFullMethodName(SERVICE_NAME, "ListUnsettledIntents"))
              .setSafe(true)
              .setSampledToLocalTracing(true)
              .setRequestMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ListUnsettledIntentsRequest.getDefaultInstance()))
              .setResponseMarshaller(io.grpc.protobuf.ProtoUtils.marshaller(
                  internal.payorch.v1.ListUnsettledIntentsResponse.getDefaultInstance()))
              .setSchemaDescriptor(new DiagnosticsServiceMethodDescriptorSupplier("ListUnsettledIntents"))
              .build();
        }
      }
    }
    return getListUnsettledIntentsMethod;
  }

  /**
   * Creates a new async stub that supports all call types for the service
   */
  public static DiagnosticsServiceStub newStub(io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceStub>() {
        @java.lang.Override
        public DiagnosticsServiceStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DiagnosticsServiceStub(channel, callOptions);
        }
      };
    return DiagnosticsServiceStub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports all types of calls on the service
   */
  public static DiagnosticsServiceBlockingV2Stub newBlockingV2Stub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceBlockingV2Stub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceBlockingV2Stub>() {
        @java.lang.Override
        public DiagnosticsServiceBlockingV2Stub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DiagnosticsServiceBlockingV2Stub(channel, callOptions);
        }
      };
    return DiagnosticsServiceBlockingV2Stub.newStub(factory, channel);
  }

  /**
   * Creates a new blocking-style stub that supports unary and streaming output calls on the service
   */
  public static DiagnosticsServiceBlockingStub newBlockingStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceBlockingStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceBlockingStub>() {
        @java.lang.Override
        public DiagnosticsServiceBlockingStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DiagnosticsServiceBlockingStub(channel, callOptions);
        }
      };
    return DiagnosticsServiceBlockingStub.newStub(factory, channel);
  }

  /**
   * Creates a new ListenableFuture-style stub that supports unary calls on the service
   */
  public static DiagnosticsServiceFutureStub newFutureStub(
      io.grpc.Channel channel) {
    io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceFutureStub> factory =
      new io.grpc.stub.AbstractStub.StubFactory<DiagnosticsServiceFutureStub>() {
        @java.lang.Override
        public DiagnosticsServiceFutureStub newStub(io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
          return new DiagnosticsServiceFutureStub(channel, callOptions);
        }
      };
    return DiagnosticsServiceFutureStub.newStub(factory, channel);
  }

  /**
   * <pre>
   * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
   * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
   * PaymentOrchestrationService's.
   * </pre>
   */
  public interface AsyncService {

    /**
     * <pre>
     * Explains what the policy in force would do with a call: the rule that matches, why the others do not, the headers
     * that the route decides, and what would refuse the call before anything is sent.
     * </pre>
     */
    default void explainRoute(internal.payorch.v1.ExplainRouteRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ExplainRouteResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getExplainRouteMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns the records of the calls with a given Track-Id or request_id: what happened, every send to Zuora, and what
     * Zuora said.
     * </pre>
     */
    default void getCall(internal.payorch.v1.GetCallRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.GetCallResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetCallMethod(), responseObserver);
    }

    /**
     * <pre>
     * Returns, for each tenant and entity, how much of Zuora's limits is left and whether calls are sent, as far as the
     * replica that answers knows it.
     * </pre>
     */
    default void getQuota(internal.payorch.v1.GetQuotaRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.GetQuotaResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getGetQuotaMethod(), responseObserver);
    }

    /**
     * <pre>
     * Lists the intents whose outcome is not known, the oldest first: their last execution ended UNKNOWN, and nothing has
     * settled them since. An intent whose execution was cut off by the death of its process is not among them.
     * </pre>
     */
    default void listUnsettledIntents(internal.payorch.v1.ListUnsettledIntentsRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ListUnsettledIntentsResponse> responseObserver) {
      io.grpc.stub.ServerCalls.asyncUnimplementedUnaryCall(getListUnsettledIntentsMethod(), responseObserver);
    }
  }

  /**
   * Base class for the server implementation of the service DiagnosticsService.
   * <pre>
   * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
   * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
   * PaymentOrchestrationService's.
   * </pre>
   */
  public static abstract class DiagnosticsServiceImplBase
      implements io.grpc.BindableService, AsyncService {

    @java.lang.Override public final io.grpc.ServerServiceDefinition bindService() {
      return DiagnosticsServiceGrpc.bindService(this);
    }
  }

  /**
   * A stub to allow clients to do asynchronous rpc calls to service DiagnosticsService.
   * <pre>
   * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
   * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
   * PaymentOrchestrationService's.
   * </pre>
   */
  public static final class DiagnosticsServiceStub
      extends io.grpc.stub.AbstractAsyncStub<DiagnosticsServiceStub> {
    private DiagnosticsServiceStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DiagnosticsServiceStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DiagnosticsServiceStub(channel, callOptions);
    }

    /**
     * <pre>
     * Explains what the policy in force would do with a call: the rule that matches, why the others do not, the headers
     * that the route decides, and what would refuse the call before anything is sent.
     * </pre>
     */
    public void explainRoute(internal.payorch.v1.ExplainRouteRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ExplainRouteResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getExplainRouteMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns the records of the calls with a given Track-Id or request_id: what happened, every send to Zuora, and what
     * Zuora said.
     * </pre>
     */
    public void getCall(internal.payorch.v1.GetCallRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.GetCallResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetCallMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Returns, for each tenant and entity, how much of Zuora's limits is left and whether calls are sent, as far as the
     * replica that answers knows it.
     * </pre>
     */
    public void getQuota(internal.payorch.v1.GetQuotaRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.GetQuotaResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getGetQuotaMethod(), getCallOptions()), request, responseObserver);
    }

    /**
     * <pre>
     * Lists the intents whose outcome is not known, the oldest first: their last execution ended UNKNOWN, and nothing has
     * settled them since. An intent whose execution was cut off by the death of its process is not among them.
     * </pre>
     */
    public void listUnsettledIntents(internal.payorch.v1.ListUnsettledIntentsRequest request,
        io.grpc.stub.StreamObserver<internal.payorch.v1.ListUnsettledIntentsResponse> responseObserver) {
      io.grpc.stub.ClientCalls.asyncUnaryCall(
          getChannel().newCall(getListUnsettledIntentsMethod(), getCallOptions()), request, responseObserver);
    }
  }

  /**
   * A stub to allow clients to do synchronous rpc calls to service DiagnosticsService.
   * <pre>
   * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
   * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
   * PaymentOrchestrationService's.
   * </pre>
   */
  public static final class DiagnosticsServiceBlockingV2Stub
      extends io.grpc.stub.AbstractBlockingStub<DiagnosticsServiceBlockingV2Stub> {
    private DiagnosticsServiceBlockingV2Stub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DiagnosticsServiceBlockingV2Stub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DiagnosticsServiceBlockingV2Stub(channel, callOptions);
    }

    /**
     * <pre>
     * Explains what the policy in force would do with a call: the rule that matches, why the others do not, the headers
     * that the route decides, and what would refuse the call before anything is sent.
     * </pre>
     */
    public internal.payorch.v1.ExplainRouteResponse explainRoute(internal.payorch.v1.ExplainRouteRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getExplainRouteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the records of the calls with a given Track-Id or request_id: what happened, every send to Zuora, and what
     * Zuora said.
     * </pre>
     */
    public internal.payorch.v1.GetCallResponse getCall(internal.payorch.v1.GetCallRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetCallMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns, for each tenant and entity, how much of Zuora's limits is left and whether calls are sent, as far as the
     * replica that answers knows it.
     * </pre>
     */
    public internal.payorch.v1.GetQuotaResponse getQuota(internal.payorch.v1.GetQuotaRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getGetQuotaMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the intents whose outcome is not known, the oldest first: their last execution ended UNKNOWN, and nothing has
     * settled them since. An intent whose execution was cut off by the death of its process is not among them.
     * </pre>
     */
    public internal.payorch.v1.ListUnsettledIntentsResponse listUnsettledIntents(internal.payorch.v1.ListUnsettledIntentsRequest request) throws io.grpc.StatusException {
      return io.grpc.stub.ClientCalls.blockingV2UnaryCall(
          getChannel(), getListUnsettledIntentsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do limited synchronous rpc calls to service DiagnosticsService.
   * <pre>
   * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
   * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
   * PaymentOrchestrationService's.
   * </pre>
   */
  public static final class DiagnosticsServiceBlockingStub
      extends io.grpc.stub.AbstractBlockingStub<DiagnosticsServiceBlockingStub> {
    private DiagnosticsServiceBlockingStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DiagnosticsServiceBlockingStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DiagnosticsServiceBlockingStub(channel, callOptions);
    }

    /**
     * <pre>
     * Explains what the policy in force would do with a call: the rule that matches, why the others do not, the headers
     * that the route decides, and what would refuse the call before anything is sent.
     * </pre>
     */
    public internal.payorch.v1.ExplainRouteResponse explainRoute(internal.payorch.v1.ExplainRouteRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getExplainRouteMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns the records of the calls with a given Track-Id or request_id: what happened, every send to Zuora, and what
     * Zuora said.
     * </pre>
     */
    public internal.payorch.v1.GetCallResponse getCall(internal.payorch.v1.GetCallRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetCallMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Returns, for each tenant and entity, how much of Zuora's limits is left and whether calls are sent, as far as the
     * replica that answers knows it.
     * </pre>
     */
    public internal.payorch.v1.GetQuotaResponse getQuota(internal.payorch.v1.GetQuotaRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getGetQuotaMethod(), getCallOptions(), request);
    }

    /**
     * <pre>
     * Lists the intents whose outcome is not known, the oldest first: their last execution ended UNKNOWN, and nothing has
     * settled them since. An intent whose execution was cut off by the death of its process is not among them.
     * </pre>
     */
    public internal.payorch.v1.ListUnsettledIntentsResponse listUnsettledIntents(internal.payorch.v1.ListUnsettledIntentsRequest request) {
      return io.grpc.stub.ClientCalls.blockingUnaryCall(
          getChannel(), getListUnsettledIntentsMethod(), getCallOptions(), request);
    }
  }

  /**
   * A stub to allow clients to do ListenableFuture-style rpc calls to service DiagnosticsService.
   * <pre>
   * Explains to operators where calls go and why, what happened to them, and how much of Zuora's limits is left. It is
   * served on a separate listener, requires a separate right and sends nothing to Zuora. Its errors have the form of
   * PaymentOrchestrationService's.
   * </pre>
   */
  public static final class DiagnosticsServiceFutureStub
      extends io.grpc.stub.AbstractFutureStub<DiagnosticsServiceFutureStub> {
    private DiagnosticsServiceFutureStub(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      super(channel, callOptions);
    }

    @java.lang.Override
    protected DiagnosticsServiceFutureStub build(
        io.grpc.Channel channel, io.grpc.CallOptions callOptions) {
      return new DiagnosticsServiceFutureStub(channel, callOptions);
    }

    /**
     * <pre>
     * Explains what the policy in force would do with a call: the rule that matches, why the others do not, the headers
     * that the route decides, and what would refuse the call before anything is sent.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.ExplainRouteResponse> explainRoute(
        internal.payorch.v1.ExplainRouteRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getExplainRouteMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns the records of the calls with a given Track-Id or request_id: what happened, every send to Zuora, and what
     * Zuora said.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.GetCallResponse> getCall(
        internal.payorch.v1.GetCallRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetCallMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Returns, for each tenant and entity, how much of Zuora's limits is left and whether calls are sent, as far as the
     * replica that answers knows it.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.GetQuotaResponse> getQuota(
        internal.payorch.v1.GetQuotaRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getGetQuotaMethod(), getCallOptions()), request);
    }

    /**
     * <pre>
     * Lists the intents whose outcome is not known, the oldest first: their last execution ended UNKNOWN, and nothing has
     * settled them since. An intent whose execution was cut off by the death of its process is not among them.
     * </pre>
     */
    public com.google.common.util.concurrent.ListenableFuture<internal.payorch.v1.ListUnsettledIntentsResponse> listUnsettledIntents(
        internal.payorch.v1.ListUnsettledIntentsRequest request) {
      return io.grpc.stub.ClientCalls.futureUnaryCall(
          getChannel().newCall(getListUnsettledIntentsMethod(), getCallOptions()), request);
    }
  }

  private static final int METHODID_EXPLAIN_ROUTE = 0;
  private static final int METHODID_GET_CALL = 1;
  private static final int METHODID_GET_QUOTA = 2;
  private static final int METHODID_LIST_UNSETTLED_INTENTS = 3;

  private static final class MethodHandlers<Req, Resp> implements
      io.grpc.stub.ServerCalls.UnaryMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ServerStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.ClientStreamingMethod<Req, Resp>,
      io.grpc.stub.ServerCalls.BidiStreamingMethod<Req, Resp> {
    private final AsyncService serviceImpl;
    private final int methodId;

    MethodHandlers(AsyncService serviceImpl, int methodId) {
      this.serviceImpl = serviceImpl;
      this.methodId = methodId;
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public void invoke(Req request, io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        case METHODID_EXPLAIN_ROUTE:
          serviceImpl.explainRoute((internal.payorch.v1.ExplainRouteRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.ExplainRouteResponse>) responseObserver);
          break;
        case METHODID_GET_CALL:
          serviceImpl.getCall((internal.payorch.v1.GetCallRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.GetCallResponse>) responseObserver);
          break;
        case METHODID_GET_QUOTA:
          serviceImpl.getQuota((internal.payorch.v1.GetQuotaRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.GetQuotaResponse>) responseObserver);
          break;
        case METHODID_LIST_UNSETTLED_INTENTS:
          serviceImpl.listUnsettledIntents((internal.payorch.v1.ListUnsettledIntentsRequest) request,
              (io.grpc.stub.StreamObserver<internal.payorch.v1.ListUnsettledIntentsResponse>) responseObserver);
          break;
        default:
          throw new AssertionError();
      }
    }

    @java.lang.Override
    @java.lang.SuppressWarnings("unchecked")
    public io.grpc.stub.StreamObserver<Req> invoke(
        io.grpc.stub.StreamObserver<Resp> responseObserver) {
      switch (methodId) {
        default:
          throw new AssertionError();
      }
    }
  }

  public static final io.grpc.ServerServiceDefinition bindService(AsyncService service) {
    return io.grpc.ServerServiceDefinition.builder(getServiceDescriptor())
        .addMethod(
          getExplainRouteMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.ExplainRouteRequest,
              internal.payorch.v1.ExplainRouteResponse>(
                service, METHODID_EXPLAIN_ROUTE)))
        .addMethod(
          getGetCallMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.GetCallRequest,
              internal.payorch.v1.GetCallResponse>(
                service, METHODID_GET_CALL)))
        .addMethod(
          getGetQuotaMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.GetQuotaRequest,
              internal.payorch.v1.GetQuotaResponse>(
                service, METHODID_GET_QUOTA)))
        .addMethod(
          getListUnsettledIntentsMethod(),
          io.grpc.stub.ServerCalls.asyncUnaryCall(
            new MethodHandlers<
              internal.payorch.v1.ListUnsettledIntentsRequest,
              internal.payorch.v1.ListUnsettledIntentsResponse>(
                service, METHODID_LIST_UNSETTLED_INTENTS)))
        .build();
  }

  private static abstract class DiagnosticsServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoFileDescriptorSupplier, io.grpc.protobuf.ProtoServiceDescriptorSupplier {
    DiagnosticsServiceBaseDescriptorSupplier() {}

    @java.lang.Override
    public com.google.protobuf.Descriptors.FileDescriptor getFileDescriptor() {
      return internal.payorch.v1.DiagnosticsServiceProto.getDescriptor();
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.ServiceDescriptor getServiceDescriptor() {
      return getFileDescriptor().findServiceByName("DiagnosticsService");
    }
  }

  private static final class DiagnosticsServiceFileDescriptorSupplier
      extends DiagnosticsServiceBaseDescriptorSupplier {
    DiagnosticsServiceFileDescriptorSupplier() {}
  }

  private static final class DiagnosticsServiceMethodDescriptorSupplier
      extends DiagnosticsServiceBaseDescriptorSupplier
      implements io.grpc.protobuf.ProtoMethodDescriptorSupplier {
    private final java.lang.String methodName;

    DiagnosticsServiceMethodDescriptorSupplier(java.lang.String methodName) {
      this.methodName = methodName;
    }

    @java.lang.Override
    public com.google.protobuf.Descriptors.MethodDescriptor getMethodDescriptor() {
      return getServiceDescriptor().findMethodByName(methodName);
    }
  }

  private static volatile io.grpc.ServiceDescriptor serviceDescriptor;

  public static io.grpc.ServiceDescriptor getServiceDescriptor() {
    io.grpc.ServiceDescriptor result = serviceDescriptor;
    if (result == null) {
      synchronized (DiagnosticsServiceGrpc.class) {
        result = serviceDescriptor;
        if (result == null) {
          serviceDescriptor = result = io.grpc.ServiceDescriptor.newBuilder(SERVICE_NAME)
              .setSchemaDescriptor(new DiagnosticsServiceFileDescriptorSupplier())
              .addMethod(getExplainRouteMethod())
              .addMethod(getGetCallMethod())
              .addMethod(getGetQuotaMethod())
              .addMethod(getListUnsettledIntentsMethod())
              .build();
        }
      }
    }
    return result;
  }
}
